"""What a browser and Prometheus are answered: the bounded server, who may read, the routes."""
