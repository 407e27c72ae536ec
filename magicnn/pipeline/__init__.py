"""The main job: from productions and files to a report, stage by stage."""
