"""``hpki ra desk``: the full-screen work place of reception, examiner and approver (Textual)."""
