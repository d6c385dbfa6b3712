"""The process of asynchronous predictions: answers what was asked in batches."""
