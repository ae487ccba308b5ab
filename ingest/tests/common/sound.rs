//! A sound file of every format: what mutation and fuzzing begin with.

use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::{PACK_FILE_MAGIC, PackWriter};

use super::crc;

/// A sound file of every built-in profile.
pub fn sound(name: &str) -> Vec<u8> {
    let text = match name {
        "tallywatt" => "usage_point,obis,date,v1,v2,v3\na,1-0:1.8.0,2026-03-29,1,,3\nb,1.8.0,2026-10-25,4,5,6\n".to_owned(),
        "zonnedael" => "datetime,a,\"b\"\n1-1-2013 00:00,1,2\n31-3-2013 02:00,3,4\n".to_owned(),
        "lcl" => "LCLid,stdorToU,DateTime,KWH/hh (per half hour)\na,Std,2013-01-01 00:00:00,0.292\na,Std,2013-01-01 00:30:00,1.0930001\n".to_owned(),
        "opendsm" => "start,value\n2015-11-22T00:00:00-06:00,0.29\n2015-11-22T01:00:00-06:00,1.47\n".to_owned(),
        "json-lines" => "{\"usage_point\":\"a\",\"obis\":\"1.8.0\",\"start\":\"2026-03-01T00:00:00Z\",\"value\":1}\n\
            {\"value\": 2,\"start\":\"2026-03-01T00:30:00Z\", \"quality\":null,\"obis\":\"\\u0031.8.0\",\"usage_point\":\"a\"}\n".to_owned(),
        // What its helper makes of the file.
        "parquet" => "usage_point,obis,start,value,quality\na,1.8.0,2026-03-01T00:00:00Z,1,\na,1.8.0,2026-03-01T00:30:00Z,2,raw\n".to_owned(),
        "nem12" => {
            let values = ",0.5".repeat(48);
            format!("100,NEM12,1,A,B\n200,N,E1,1,E1,N1,M,kWh,30,\n300,20260301{values},V,,,,\n400,1,40,A,,\n400,41,48,N,,\n900\n")
        }
        "nem13" => "100,NEM13,1,A,B\n250,N,1141,1,41,41,M,E,00990,20260101120000,A,,,01020,20260401120000,E62,77,,30,KWH,20260701,20260402000000,\n550,N,,E,\n900\n".to_owned(),
        "80020" => "<?xml version=\"1.0\" encoding=\"windows-1251\"?><message class=\"80020\"><datetime><day>20101031</day></datetime>\
            <area><measuringpoint code=\"P\"><measuringchannel code=\"01\"><period start=\"0200\" end=\"0230\" summer=\"1\">\
            <value status=\"0\">5&amp;</value></period></measuringchannel></measuringpoint><peretok/></area></message>".to_owned(),
        "p1" => {
            let body = "/KFM5KAIFA-METER\r\n\r\n0-0:1.0.0(161113205757W)\r\n0-0:96.1.1(4530303031)\r\n1-0:1.8.1(001581.123*kWh)\r\n!";
            format!("{body}{:04X}\r\n", crc::arc(body.as_bytes()))
        }
        "reads" => "usage_point,obis,read_at,value,unit,who\na,1-0:1.8.0,2026-03-01 12:00,7.5,kWh,ivanov\n".to_owned(),
        "meters" => "usage_point,obis,meter,from,first,to,last,digits,multiplier\na,1-0:1.8.0,M1,2026-03-01 12:00,7.5,2026-04-01 12:00,8,6,40\n".to_owned(),
        "sml" => return sml(),
        "dlms" => return dlms(),
        "greenbutton" => "<feed><entry><link rel=\"self\" href=\"C/5/UsagePoint/1\"/><content><UsagePoint/><MeterReading/><ReadingType>\
            <flowDirection>1</flowDirection><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom></ReadingType><IntervalBlock>\
            <IntervalReading><timePeriod><duration>900</duration><start>1330578000</start></timePeriod><value>282</value></IntervalReading>\
            <IntervalReading><timePeriod><duration>900</duration><start>1330578900</start></timePeriod><value>323</value></IntervalReading>\
            </IntervalBlock></content></entry></feed>".to_owned(),
        "mscons" => "UNA:+,? 'UNB+UNOC:3+a:500+b:500+160112:1347+x++TL'UNH+1+MSCONS:D:04B:UN:2.2e'BGM+7+d1+9'DTM+137:201601121347:203'\
            RFF+Z13:13008'NAD+DP'LOC+172+P'LIN+1'PIA+5+1-1?:1.29.0:SRW'QTY+220:0,5'DTM+163:201512010000?+01:303'\
            DTM+164:201512010015?+01:303'UNT+11+1'UNZ+1+x'".to_owned(),
        _ => {
            let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
            let block = DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Manual).unwrap();
            let frames = DayLeaf::frame(block).bytes().repeat(3);
            return if name == "frames" { frames } else { packed(&frames) };
        }
    };
    text.into_bytes()
}

/// A message that closes a file of no list, as `sml-rs` has it in its documentation, in a frame.
fn sml() -> Vec<u8> {
    let close = b"\x76\x05\xdd\x43\x44\x00\x62\x00\x62\x00\x72\x63\x02\x01\x71\x01\x63\xfd\x56\x00";
    let frame = [b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01", &close[..], b"\x1b\x1b\x1b\x1b\x1a\x00"].concat();
    [&frame[..], &crc::x25(&frame).to_le_bytes()].concat()
}

/// A push of one dial in a frame.
fn dlms() -> Vec<u8> {
    let summed = |bytes: &[u8]| [bytes, &crc::x25(bytes).to_le_bytes()].concat();
    let body = b"\xe6\xe7\0\x0f\0\0\0\0\x0c\x07\xea\x03\x01\x07\x0c\0\0\xff\x80\0\0\x01\x01\x02\x03\x09\x06\x01\0\x01\x08\0\xff\x11\x05\x02\x02\x0f\x01\x16\x1e";
    let header = summed(&[0xa0, u8::try_from(10 + body.len()).unwrap(), 1, 2, 1, 0x10]);
    [b"~", summed(&[&header, &body[..]].concat()).as_slice(), b"~"].concat()
}

/// A file of packs of these frames.
fn packed(mut frames: &[u8]) -> Vec<u8> {
    let (mut writer, mut bytes) = (PackWriter::default(), PACK_FILE_MAGIC.to_vec());
    while !frames.is_empty() {
        let (leaf, size) = DayLeaf::decode_first(frames).unwrap();
        writer.push(leaf.bytes());
        frames = &frames[size..];
    }
    writer.finish(&mut bytes);
    bytes
}
