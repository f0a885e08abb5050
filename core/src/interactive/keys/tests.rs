//! Every equation of the page, against values computed from the page alone (HMAC and SHA-256 of another library).

use super::*;
use crate::phase1::keys::{Confirms, confirm, info_2, info_3, m1_tag, m2_tag, m3_pre, th_1, window_draw};
use std::format;
use std::string::String;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tag<const N: usize>(write: impl FnOnce(&mut [u8])) -> String {
    let mut tag = [0; N];
    write(&mut tag);
    hex(&tag)
}

const fn numbers(n1: u8, n2: u8) -> Numbers {
    Numbers { n0: Secret::zero(), n1: Secret::new([n1; 32]), n2: Secret::new([n2; N_LEN]) }
}

/// PMK and th_4 of the run below.
fn phase_1() -> (Secret<32>, Transcript) {
    let th_1 = th_1(NAME, &[0xa1; 32], &[0x11; 30]);
    let th_2 = info_2(&th_1, &[], &[0xa2; 32], &[&[0x12; 2], &[0x12; 3]]).then(&[&[0x13; 32]]);
    let e_2 = Secret::new([0xe2; 32]);
    let mut tag_2 = [0; 8];
    m2_tag(NAME, &e_2, &th_2, &mut tag_2);
    assert_eq!(hex(&tag_2), "5c231b4f2ad4deef");
    let h_3 = info_3(&th_2, &tag_2, &[0x14; 6]).then(&[&[0x15; 32]]);
    let pre = m3_pre(NAME, &e_2, &h_3);
    assert_eq!(hex(&pre), "aeb40986");
    let th_3 = h_3.then(&[&pre]);
    let (a, s) = (numbers(0xb1, 0xc1), numbers(0xb2, 0xc2));
    let pmk = pmk(&a, &s, &[0xdd; 32], Some(&Secret::new([0x77; 32])), &th_3);
    assert_eq!(hex(pmk.expose()), "c479aac84acea8bb4aa1e8a20299915bd02398de268c42771e5f1aa4dfcb5d7c");
    let mut tag_3 = [0; 8];
    confirm(&of(&pmk), Confirms::M3, &th_3, [&a, &s], &mut tag_3);
    assert_eq!(hex(&tag_3), "6ef068d57939e400");
    let th_4 = th_3.then(&[&tag_3, b"\x11\x40"]);
    assert_eq!(tag::<8>(|tag| confirm(&of(&pmk), Confirms::M4, &th_4, [&a, &s], tag)), "f8c0dd23281ee47b");
    assert_eq!(hex(&m1_tag(NAME, &pmk, &th_1)), "c2e8583450aa294132afb02c7d0aa767");
    (pmk, th_4)
}

#[test]
fn phase_1_as_the_page_has_it() {
    phase_1();
    let mut draw = [0; 32];
    window_draw(NAME, &Secret::new([0x41; 32]), 0, &[0x42; 32], &mut draw);
    assert_eq!(hex(&draw), "01969d519ac282739d75e70d4491ab61a171ace76928955d1c2df6061e8bd442");
}

#[test]
fn phase_2_as_the_page_has_it() {
    let (pmk, bind) = phase_1();
    let aux = aux(&pmk, 3);
    assert_eq!(hex(&hint(&aux, true)), "bc5307eb");
    assert_eq!(hex(&hint(&aux, false)), "ef6b0274");

    let terms = Terms { suite: -21, psk: true, step: 3, side: true, bind };
    let th_1 = run_th_1(&terms, &[0x21; 266]);
    let (mut tag_1, mut tag_2) = ([0; 8], [0; 8]);
    k1_tag(&of(&pmk), &th_1, &mut tag_1);
    assert_eq!(hex(&tag_1), "120e7df4945fc781");
    let th_2 = th_1.then(&[&tag_1, &[0x22; 259]]);
    k2_tag(&of(&pmk), &th_2, &mut tag_2);
    assert_eq!(hex(&tag_2), "f7291cea4f065553");
    let (n_a0, n_s0) = (Secret::new([0xd1; N_LEN]), Secret::new([0xd2; N_LEN]));
    let mut out = Yield::none();
    let prk = run_prk(&of(&pmk), &n_a0, &n_s0, &[0xdd; 256]);
    out.derive(&prk, &th_2.then(&[&tag_2]));
    assert_eq!(
        [hex(out.k3()), hex(out.k4())].concat(),
        "bb832a8716f6ec7b4c2b97443a7cdd3e6e941ef96e0808f41a5716e344545797"
    );
    assert_eq!(hex(out.pmk.expose()), "787497b33f59e5d1ac410e4f47407a5615d1b04422a91e8d0b3f725c77a9ea27");

    assert_eq!(hex(&says_tag(Says::Gone, &aux, &th_1, &tag_1)), "a7618113b89a1cc8156615770cb83a22");
    assert_eq!(hex(&says_tag(Says::Refuse(0x102), &aux, &th_1, &tag_1)), "6a0421fc2ae4767c4bd52af1765eb9a3");
    let mut ping = [0; 8];
    ping_tag(&aux, &[0x31; 8], &mut ping);
    assert_eq!(hex(&ping), "6dec83ee321915b1");
    assert_eq!(tag::<8>(|tag| pong_tag(&aux, &ping, &[0x31; 8], tag)), "57b48e47554e0472");
}
