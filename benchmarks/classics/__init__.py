"""The two classics in which the comparison of the main benchmark stands: autoencoders on digits and on card fraud.

They share its methods' contract, thresholds from held-out normal samples, records and tables. A sample has one score, no map.
"""
