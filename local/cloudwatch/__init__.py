"""CloudWatch's metrics and alarms, in the places of the stand-in's own."""
