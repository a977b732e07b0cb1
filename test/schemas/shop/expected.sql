-- What shop/declaration.json means, by hand.
select 'order:' || o.order_id as key, row_to_json(document) as document
from orders o, lateral (
    select o.order_id, o.status, o.ordered_at, o.shipped_at,
           (select one from (
               select c.customer_code, c.company, c.email from customers c where c.customer_code = o.customer_code
           ) as one) as customer,
           (select one from (
               select a.street, a.city, a.country from addresses a where a.address_id = o.address_id
           ) as one) as ship_to,
           (select one from (
               select e.first_name, e.last_name from employees e where e.employee_id = o.employee_id
           ) as one) as seller,
           array(select line from (
               select l.line_no, l.quantity, l.unit_price, (
                   select one from (
                       select p.sku, p.name, (
                           select one from (select c.name from categories c where c.category_id = p.category_id) as one
                       ) as category
                       from products p where p.product_id = l.product_id
                   ) as one
               ) as product
               from order_lines l where l.order_id = o.order_id order by l.order_id, l.line_no
           ) as line) as lines
) as document;
