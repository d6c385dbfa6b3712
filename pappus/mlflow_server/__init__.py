"""MLflow's server behind a login: `python -m pappus.mlflow_server`. The recorder writes, people read."""
