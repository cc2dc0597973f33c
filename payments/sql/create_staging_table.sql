-- The staging table as the ETL makes it; the name is the only thing that a setting changes. Every row is changed once, to
-- mark it: the room left on each page keeps the new version there, so that no index has to learn of it.
create table {staging_table} (
  id BIGSERIAL PRIMARY KEY,
  reference_number VARCHAR(255) NOT NULL,
  loan_account_number VARCHAR(20) NOT NULL,
  cif VARCHAR(20) NOT NULL,
  amount DECIMAL(15,2) NOT NULL,
  payment_date TIMESTAMP NOT NULL,
  payment_channel VARCHAR(100),
  metadata JSONB,
  processed BOOLEAN DEFAULT FALSE,
  processed_at TIMESTAMP,
  created_at TIMESTAMP DEFAULT NOW()
) WITH (fillfactor = 50)
