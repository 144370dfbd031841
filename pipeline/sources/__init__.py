"""Where documents come from: crawl files, JSONL and Parquet, read as Arrow record batches.

``paths.expand`` finds the files, ``read.read_documents`` reads one.
"""
