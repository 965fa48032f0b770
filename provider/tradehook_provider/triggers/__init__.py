"""What waits in the triggerer while no worker does."""
