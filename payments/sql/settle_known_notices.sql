
select compared.row_id, compared.known_payment_id, compared.known_payment_date, compared.is_same, differing.difference
from compared
left join differing using (row_id)
