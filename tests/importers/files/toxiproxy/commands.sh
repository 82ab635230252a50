toxiproxy-cli create -l localhost:22031 -u ts-order-service:12031 orders
toxiproxy-cli toxic add -t bandwidth -a rate=16 orders
toxiproxy-cli toxic add orders --type latency --downstream --toxicity 1.0 --attribute latency=500 --attribute jitter=100
toxiproxy-cli toggle orders
