"""The science: the models, the data and the pictures of this project. Yours to rename and replace."""
