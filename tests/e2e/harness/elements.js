/** Every basic element that can be sent without an upload. */

/** What a client can send without an upload, by the kind's name in the package. */
export const CLIENT_ELEMENTS = [
  { kind: 'Text', payload: { text: 'hello, 茶馆 🍵 "quoted" \\ \n second line' } },
  { kind: 'Custom', payload: { data: '{"a":[1,2,3]}', description: 'what it is', extension: 'more' } },
  { kind: 'Face', payload: { index: 7, data: 'smile' } },
  { kind: 'Location', payload: { description: 'tea house', longitude: 113.941079, latitude: 22.546103 } },
];

const URL = 'https://files.example/one';

/** What a backend can send: each element as it is written on the wire. */
export const REST_ELEMENTS = [
  { MsgType: 'TIMTextElem', MsgContent: { Text: 'from the backend' } },
  { MsgType: 'TIMCustomElem', MsgContent: { Data: 'd', Desc: 'what', Ext: 'more', Sound: 'dingdong.aiff' } },
  { MsgType: 'TIMFaceElem', MsgContent: { Index: 6, Data: 'abc' } },
  {
    MsgType: 'TIMLocationElem',
    MsgContent: { Desc: 'someinfo', Latitude: 29.340656774469956, Longitude: 116.77497920478824 },
  },
  {
    MsgType: 'TIMImageElem',
    MsgContent: {
      UUID: 'image-1',
      ImageFormat: 3,
      ImageInfoArray: [1, 2, 3].map((Type) => ({
        Type,
        Size: 1853095 - Type,
        Width: 2448 - Type,
        Height: 3264,
        URL: `${URL}/${Type}`,
      })),
    },
  },
  {
    MsgType: 'TIMSoundElem',
    MsgContent: { Url: `${URL}.m4a`, UUID: 'sound-1', Size: 62351, Second: 3, Download_Flag: 2 },
  },
  {
    MsgType: 'TIMFileElem',
    MsgContent: { Url: `${URL}.pdf`, UUID: 'file-1', FileSize: 1773552, FileName: 'plan.pdf', Download_Flag: 2 },
  },
  {
    MsgType: 'TIMVideoFileElem',
    MsgContent: {
      VideoUrl: `${URL}.mp4`,
      VideoUUID: 'video-1',
      VideoSize: 1194603,
      VideoSecond: 5,
      VideoFormat: 'mp4',
      VideoDownloadFlag: 2,
      ThumbUrl: `${URL}.jpg`,
      ThumbUUID: 'thumb-1',
      ThumbSize: 13907,
      ThumbWidth: 720,
      ThumbHeight: 1280,
      ThumbFormat: 'JPG',
      ThumbDownloadFlag: 2,
    },
  },
];
