"""The tables: their SQL, and the projection that writes them."""
