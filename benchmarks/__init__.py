"""Benchmarks of the application; each is a module that is run by name and changes nothing outside a temporary stack.

    .venv/bin/python -m benchmarks.scoring_path [--transactions 5000] [--batch 100] [--json]

`scoring_path` runs the Lambda handler `score_transactions` beside a named alternative, `per_record`: the threaded
Powertools batch processor that AWS's samples lead to, which reads, asks the model and writes for each record. All of
them see the same records, batch by batch and in changing order, in one run against one fake AWS. Per 1,000 transactions
it prints the AWS calls by operation, DynamoDB request units and the handler's CPU.

What is exact and what is not:

- Calls are counted by botocore's event `before-send`: what leaves the process, retries included.
- Request units follow DynamoDB's documented rules from the items sent and returned (`capacity`); on AWS they would be
  the same. They are not taken from the fake.
- CPU is `time.process_time` around the handler, all of its threads included. The fake AWS, with the model, runs in a
  process of its own, so that none of its work counts.
- Wall time is that of a machine on which the fake AWS competes for the same cores: it says how the sides compare there,
  and nothing about AWS, where a call takes milliseconds of waiting and no CPU of this process.

Docs: docs/benchmarks.md has numbers, and on what they were measured.
"""
