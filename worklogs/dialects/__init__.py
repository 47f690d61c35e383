"""Each vendor's JSON <-> Worklog. The only modules that know the shape of a vendor's worklog."""
