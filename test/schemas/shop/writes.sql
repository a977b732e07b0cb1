-- One random transaction over all tables of this schema.
create function random_write(seed bigint, truncates boolean) returns void
language plpgsql as $$
declare
    an_order bigint;
    a_product integer;
    a_customer text;
    an_address integer;
    an_employee integer;
    a_category integer;
begin
    perform testing.seed(seed);
    perform testing.prune('orders', 'order_id', 500);
    perform testing.prune('products', 'product_id', 200);
    perform testing.prune('customers', 'customer_code', 200);
    perform testing.prune('addresses', 'address_id', 300);
    perform testing.prune('employees', 'employee_id', 60);
    for i in 1 .. 1 + testing.below(4) loop
        an_order := testing.pick('orders', 'order_id');
        a_product := testing.pick('products', 'product_id');
        a_customer := testing.pick('customers', 'customer_code');
        an_address := testing.pick('addresses', 'address_id');
        an_employee := testing.pick('employees', 'employee_id');
        a_category := testing.pick('categories', 'category_id');
        case testing.below(28)
        when 0, 1 then
            with made as (
                insert into orders (customer_code, address_id, employee_id, note)
                    select a_customer, an_address, an_employee, testing.word() where a_customer is not null
                    returning order_id
            )
            insert into order_lines (order_id, line_no, product_id, quantity, unit_price)
                select order_id, n, a_product, n, testing.below(100)
                from made, generate_series(1, testing.below(4)) as n where a_product is not null;
        when 2 then
            update orders set status = 'shipped', shipped_at = clock_timestamp() where order_id = an_order;
        when 3 then update orders set status = 'paid' where order_id % 20 = an_order % 20 and status = 'new';
        when 4 then
            update orders set employee_id = an_employee, address_id = an_address, customer_code = a_customer
                where order_id = an_order and a_customer is not null;
        when 5 then update orders set note = testing.word() where order_id % 3 = an_order % 3; -- which nobody reads
        when 6 then delete from orders where order_id = an_order;
        when 7 then
            insert into order_lines (order_id, line_no, product_id, quantity, unit_price)
                select an_order, 1 + testing.below(6), a_product, 1, 10 where an_order + a_product is not null
                on conflict (order_id, line_no) do update set quantity = order_lines.quantity + 1;
        when 8 then update order_lines set quantity = 1 + testing.below(9) where order_id = an_order;
        when 9 then update order_lines set product_id = a_product where order_id = an_order and a_product is not null;
        when 10 then
            update order_lines set order_id = an_order, line_no = 100 + testing.below(10000)
                where an_order is not null and (order_id, line_no) =
                    (select order_id, line_no from order_lines order by random() limit 1);
        when 11 then
            if truncates and testing.chance(0.05) then
                truncate order_lines;
            else
                delete from order_lines where order_id = an_order and line_no % 2 = testing.below(2);
            end if;
        when 12, 13 then update products set name = testing.word() where product_id = a_product;
        when 14 then update products set category_id = a_category where product_id = a_product;
        when 15 then update products set in_stock = in_stock + 1, list_price = list_price + 0.01;
        when 16 then
            insert into products (sku, name, category_id, list_price)
                values ('made-' || seed % 500, testing.word(), a_category, 5)
                on conflict (sku) do update set name = excluded.name || ' again';
        when 17 then
            if testing.chance(0.3) then
                delete from products where product_id = a_product;
            else
                update products set product_id = -product_id where product_id = a_product; -- cascades
            end if;
        when 18 then update categories set name = testing.word() where category_id = a_category;
        when 19 then
            if testing.chance(0.3) then
                delete from categories where category_id = a_category;
            else
                insert into categories (name) select testing.word() from generate_series(1, 2)
                    where (select count(*) from categories) < 30;
            end if;
        when 20 then
            insert into customers (customer_code, company) values ('made:' || seed % 300, testing.word())
                on conflict do nothing;
        when 21 then
            update customers set company = testing.word(), email = nullif(testing.word(), ' 1')
                where customer_code = a_customer;
            update customers set last_login_at = clock_timestamp() where customer_code < a_customer;
        when 22 then
            if testing.chance(0.3) then
                delete from customers where customer_code = a_customer;
            else
                update customers set customer_code = 'R' || left(md5(clock_timestamp()::text), 8) -- cascades
                    where customer_code = a_customer;
            end if;
        when 23 then
            insert into addresses (customer_code, street, city, country)
                select a_customer, testing.word(), testing.word(), 'SE' from generate_series(0, testing.below(4))
                where a_customer is not null;
        when 24 then
            update addresses set street = testing.word(), customer_code = coalesce(a_customer, customer_code)
                where address_id = an_address;
            update addresses set city = city || '.' where address_id % 15 = an_address % 15 and length(city) < 30;
        when 25 then delete from addresses where address_id = an_address and testing.chance(0.5);
        when 26 then
            insert into employees (first_name, last_name, reports_to) values (testing.word(), 'new', an_employee);
            if testing.chance(0.7) then
                delete from employees where employee_id = an_employee;
            end if;
        when 27 then
            update employees set last_name = testing.word(), reports_to = an_employee
                where employee_id = testing.pick('employees', 'employee_id')::integer;
        end case;
        perform testing.doze();
    end loop;
end
$$;
