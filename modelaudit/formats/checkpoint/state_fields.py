"""Fields of the state file `checkpoint`."""

LATEST, HISTORY = "model_checkpoint_path", "all_model_checkpoint_paths"
