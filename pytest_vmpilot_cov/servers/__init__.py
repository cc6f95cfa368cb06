"""Pipeline servers of tests: started, waited for, stopped."""
