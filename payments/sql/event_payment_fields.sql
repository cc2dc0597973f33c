                    'id', payment_id,
                    'reference_number', reference_number,
                    'loan_account_number', loan_account_number,
                    'cif', cif,
                    'amount', amount::numeric(15, 2),
                    'payment_date', payment_date,
                    'payment_channel', coalesce(payment_channel, 'unknown'),
                    'source', %(source)s::text,
                    'metadata', coalesce(metadata, '{}'::jsonb)
