def Handler(file_path):
    yield [{"a": 1}]
