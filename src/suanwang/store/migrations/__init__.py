"""The schema's history, run at open by `store/migrate.py`."""
