"""The fraud model: simulated history, training sets, training and inference as SageMaker runs them."""
