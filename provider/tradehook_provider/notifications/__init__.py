"""What is told to people beside Airflow."""
