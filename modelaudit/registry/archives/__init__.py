"""Models inside archives: zip and tar files are unpacked into a cache, and searched."""
