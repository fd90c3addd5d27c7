"""From YAML files and overrides to one config, and from the config to built objects."""
