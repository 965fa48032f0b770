"""The chat beside the exchange, in a browser: one page that uses the person's API and the admin's, and nothing else."""
