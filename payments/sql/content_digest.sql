        -- What must be the same for two payments under one reference to be the same. No field can hold the separator.
        md5(concat_ws(chr(31), loan_account_number, cif, amount::numeric(15, 2), currency, extract(epoch from payment_date)))
