"""One cell: images -> method -> maps -> scores -> record. The only room where data, methods, protocol and store meet."""
