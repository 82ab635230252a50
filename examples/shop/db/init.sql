CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price int NOT NULL, stock int NOT NULL, sold bigint NOT NULL DEFAULT 0);

INSERT INTO products SELECT n, 'product ' || n, 100 * n, n % 5 FROM generate_series(1, 100) n;
