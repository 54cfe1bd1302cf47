//! Self-supervised training by relational reasoning: batches and a model in, a run folder out
