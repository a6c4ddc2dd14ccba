from app.settings import Settings
from deploy.ray.room import Share, room, share


def test_a_network_takes_its_threads_and_a_gpu_if_it_is_to_be_on_one() -> None:
    assert share(Settings(device="cpu")) == Share(1, 0)
    assert share(Settings(device="auto", threads=3)) == Share(3, 0)
    assert share(Settings(device="cuda", threads=4)) == Share(4, 1)
    assert share(Settings(device="cuda:0")) == Share(1, 1)


def test_there_is_room_for_as_many_as_the_scarcest_allows_on_each_machine() -> None:
    machines = [{"CPU": 16.0, "GPU": 2.0, "memory": 1e9}, {"CPU": 3.0}, {"memory": 1e9}]
    assert room(machines, Share(1, 0)) == 19
    assert room(machines, Share(2, 0)) == 9
    assert room(machines, Share(4, 1)) == 2
    assert room(machines, Share(12, 1)) == 1
    assert room(machines, Share(17, 0)) == 0
    assert room(machines[1:], Share(1, 1)) == 0
