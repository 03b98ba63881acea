"""SageMaker, as far as this application uses it: what AWS documents, on processes of this machine."""
