"""Label the members of an archive, from their names and from what lies beside them.

label_sources  read label records or side tables
catalog        every member with its label and class
classify       decide the class of each member: by the rule, then by a person's corrections
"""
