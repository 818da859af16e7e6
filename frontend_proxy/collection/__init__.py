"""`POST /api/collect`: pictures that a shopper has agreed to, as rows that training.finetune reads.

messages     the request and its answers
row          the pictures as files, in the worker process: decoded anew, heads blurred by choice
store        the folder of rows
routes       the endpoint
"""
