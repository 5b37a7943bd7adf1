"""`defectbench choose`: from a folder of parts to the method that suits them, what it promises, and an inspector to use.

Runs cells as `defectbench run` does, answers from their stored scores, and asks the inspectors what the scores alone cannot
tell: how
good images fare under another light, and which drawn defects are found.
"""
