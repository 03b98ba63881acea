"""Where the stand-in's Step Functions engine is kinder than Step Functions, or stops less promptly."""
