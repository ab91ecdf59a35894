"""What ``timetric doctor`` looks at, a file each; it changes nothing, and shows no secret."""
