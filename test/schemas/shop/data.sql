-- psql -v scale=N: 200 N orders, with about three lines each.

insert into categories (name, description) select 'category ' || n, md5(n::text) from generate_series(1, 10) as n;
insert into products (sku, name, category_id, list_price, in_stock)
    select 'SKU-' || n, 'Product ' || n, nullif(n % 11, 0), n % 90 + 0.95, n % 40
    from generate_series(1, 60 * :scale) as n;
insert into customers (customer_code, company, email, password_hash)
    select 'C' || lpad(n::text, 5, '0'), 'Company "' || n || '"', 'buyer' || n || '@example.org', md5(n::text)
    from generate_series(1, 50 * :scale) as n;
insert into addresses (customer_code, street, city, country)
    select 'C' || lpad((1 + n % (50 * :scale))::text, 5, '0'), n || ' Main Street', 'City ' || n % 20,
           (array['DE', 'FR', 'SE'])[1 + n % 3]
    from generate_series(1, 80 * :scale) as n;
insert into employees (first_name, last_name, reports_to, hired_on)
    select initcap(left(md5(n::text), 5)), 'Seller ' || n, nullif(n / 3, 0), date '2015-01-01' + 30 * n
    from generate_series(1, 12) as n;
insert into orders (customer_code, address_id, employee_id, status, ordered_at, shipped_at)
    select 'C' || lpad((1 + n * 7 % (50 * :scale))::text, 5, '0'), nullif(n % (80 * :scale), 0), nullif(n % 13, 0),
           (array['new', 'paid', 'shipped', 'returned'])[1 + n % 4], timestamp '2025-01-01' + n * interval '3 hours',
           case when n % 4 > 1 then timestamp '2025-01-04' + n * interval '3 hours' end
    from generate_series(1, 200 * :scale) as n;
insert into order_lines (order_id, line_no, product_id, quantity, unit_price)
    select n, k, 1 + (n * 5 + k * 11) % (60 * :scale), 1 + (n + k) % 7, (n * k) % 50 + 0.5
    from generate_series(1, 200 * :scale) as n, generate_series(1, 5) as k where k <= n % 6;
