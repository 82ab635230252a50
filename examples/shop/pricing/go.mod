module shop/pricing

go 1.22
