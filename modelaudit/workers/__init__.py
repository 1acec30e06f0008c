"""Work on models in processes of their own: a pool of them, and what each task may take."""
