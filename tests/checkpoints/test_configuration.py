import headway


def test_configurations_come_from_folders_and_from_families(model_folder):
    folder = model_folder("sequence-classification", num_labels=3)
    assert headway.AutoConfig.from_pretrained(folder).num_labels == 3
    assert headway.AutoConfig.from_pretrained(folder, num_labels=7, local_files_only=True).num_labels == 7
    assert headway.AutoConfig.for_model("bert", hidden_size=36).hidden_size == 36
