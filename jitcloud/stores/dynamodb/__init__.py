"""The record in one DynamoDB table: for a fleet of functions, past one machine.

Nothing is loaded with this package: ``expire`` needs only ``due``, and starts every minute.
"""
