"""The injection simulator against published vertebroplasty series.

`published` holds what was read, `cohort_mix` draws who is treated and how, `cohort_site` makes each vertebra's
geometry, `run` injects, `estimators` and `statistics` compute what the studies computed, `table` and `forest` show
both side by side. `scripts/validate_injection.py` does it all.
"""
