import inspect

import pytest

from kilter.data import ENCODERS, Encoder


def test_an_encoder_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Encoder()


@pytest.mark.parametrize("kind", ENCODERS)
def test_members_are_final(kind):
    member = ENCODERS[kind]
    assert issubclass(member, Encoder)
    assert not inspect.isabstract(member)
    assert member.__subclasses__() == []


@pytest.mark.parametrize("kind", ENCODERS)
def test_members_implement_all_with_the_same_signature(kind):
    for name in Encoder.__abstractmethods__:
        ours, base = getattr(ENCODERS[kind], name), getattr(Encoder, name)
        assert name in vars(ENCODERS[kind])
        if not isinstance(base, property):
            shared, own = inspect.signature(base).parameters, inspect.signature(ours).parameters
            assert list(own)[: len(shared)] == list(shared)
            # What an encoder has beside these may be left out, and never stands by its place.
            for parameter in list(own.values())[len(shared) :]:
                assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
                assert parameter.default is not inspect.Parameter.empty


def test_no_two_are_written_to_one_file():
    files = [member.FILE for member in ENCODERS.values()]
    assert len(set(files)) == len(files)
