"""Between promotions and the log: follows model.promoted, publishes model.loaded."""
