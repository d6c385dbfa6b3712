"""One replica of the predictor over HTTP."""
