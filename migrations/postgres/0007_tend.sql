-- Tend: what the house does by itself to stay fit: it says what needs a person, and lets go of what is old.

update schema_info set version = 7;
