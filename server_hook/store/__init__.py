"""What lies on disk: records, segments, publications."""
