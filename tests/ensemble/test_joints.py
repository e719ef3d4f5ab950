"""Joints by name."""

import pytest

from kilter.ensemble import JOINTS, Joint
from kilter.ensemble.joints import PLAIN


def test_every_joint_has_one_name():
    def below(kind):
        return {kind, *(one for child in kind.__subclasses__() for one in below(child))}

    assert set(JOINTS.values()) == below(Joint) - {Joint}
    assert len(set(JOINTS.values())) == len(JOINTS)


@pytest.mark.parametrize("name", PLAIN)
def test_what_needs_no_rows_is_of_the_same_kind(name):
    assert type(PLAIN[name](members=3, classes=2)) is JOINTS[name]
